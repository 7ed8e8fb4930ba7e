/** The build turns an imported image into WebP, base64. */
declare module '*.png' {
  const base64: string;
  export default base64;
}
