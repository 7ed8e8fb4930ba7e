/**
 * Receives the outputs of every block after a run, under the names of the goldens (`vision.layer.3`). Without a tap they are not
 * copied.
 */
export type Tap = (name: string, data: Float32Array) => void;
