/**
 * Every block names its outputs as the goldens do (`vision.layer.3`). A tap receives them after the run; without
 * one, they are neither computed apart nor copied.
 */
export type Tap = (name: string, data: Float32Array) => void;
