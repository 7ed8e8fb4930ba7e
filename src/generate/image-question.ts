/**
 * The question about an image that comes without one, in Chinese or in English.
 * @param texts of the conversation
 * @param language as in the header `accept-language`, such as `zh-CN,zh;q=0.9`
 */
export function imageQuestion(texts: readonly string[], language = ''): string {
  const isChinese = /^zh\b/i.test(language) || texts.some((text) => /\p{Script=Han}/u.test(text));
  return isChinese ? '描述这张图片。' : 'Describe this image.';
}
