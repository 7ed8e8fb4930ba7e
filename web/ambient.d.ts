/** The build turns an imported picture into lossless WebP, base64. */
declare module '*.png' {
  const base64: string;
  export default base64;
}
