/**
 * Stands in for `@std/cli/unicode-width` where JSR is out of reach.
 *
 * @module
 */

const NO_WIDTH = /\p{Mark}|\p{Default_Ignorable_Code_Point}|\p{Control}/u;
/** East Asian wide characters and emoji, by block: enough for headings and names, not for every script. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;

/**
 * Says how many columns of a terminal a text takes.
 *
 * @param str The text.
 * @returns Its width in columns.
 */
export function unicodeWidth(str: string): number {
  let width = 0;
  for (const char of str) width += NO_WIDTH.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}
