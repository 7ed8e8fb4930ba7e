/**
 * A regular expression as the language of the texts that match it: as "pattern" in a schema, of the insides of JSON
 * strings; as an answer's own format, of plain text. Look-around, back references, word boundaries and Unicode
 * properties are refused.
 */
import { type Language, text } from './automaton.ts';
import { type CharacterRange, intersection, plainCharacters, textCharacters, without } from './characters.ts';

/** Limit of states of a pattern's automaton. */
export const mostStates = 400;

/** Limit of characters of a pattern. */
const longestPattern = 500;

/** How a pattern applies to the text of an answer. */
interface PatternForm {
  /** The characters of "." and negated classes. */
  readonly characters: readonly CharacterRange[];
  /** Characters of a class that are written with a backslash and a letter. */
  readonly escaped: string;
  /** One literal character. */
  write(character: string): Language;
  /** Whether the pattern must match the whole text; otherwise it may match anywhere, as in JSON Schema. */
  readonly matchesWhole: boolean;
}

/** The insides of JSON strings; characters up to U+FFFF. */
export const insideJsonString: PatternForm = {
  characters: plainCharacters,
  escaped: '"\\\b\f\n\r\t',
  write: (character) => text(JSON.stringify(character).slice(1, -1)),
  matchesWhole: false,
};

/** The whole of a plain text, as vLLM's `guided_regex` has it. */
export const plainText: PatternForm = {
  characters: textCharacters,
  escaped: '',
  write: text,
  matchesWhole: true,
};

export const whiteSpace: readonly CharacterRange[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];

const classes: Readonly<Record<string, readonly CharacterRange[]>> = {
  d: [[0x30, 0x39]],
  w: [
    [0x30, 0x39],
    [0x41, 0x5a],
    [0x5f, 0x5f],
    [0x61, 0x7a],
  ],
  s: whiteSpace,
};
const lineEnds: readonly CharacterRange[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const controls: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', 0: '\0' };

const monthDay = String.raw`(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8])`;
const leapYear = String.raw`\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00`;
const date = String.raw`(?:\d{4}-(?:${monthDay})|(?:${leapYear})-02-29)`;
const clock = String.raw`(?:[01]\d|2[0-3]):[0-5]\d`;
const time = String.raw`${clock}:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-]${clock})`;
const host = String.raw`(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,}`;
const urlPart = '(?:[!$&-;=@-Z_a-z~]|%[0-9A-Fa-f]{2})*';

/** Values of "format" that are enforced: RFC 3339 for dates and times; common forms of addresses. */
export const formatPatterns: ReadonlyMap<string, string> = new Map([
  ['date', `^${date}$`],
  ['time', `^${time}$`],
  ['date-time', `^${date}T${time}$`],
  ['email', `^[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@${host}$`],
  ['uri', String.raw`^https?://${host}(?::[1-9]\d{0,3})?(?:/${urlPart})?(?:\?${urlPart})?(?:#${urlPart})?$`],
  ['uuid', '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[1-8][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}$'],
  ['ipv4', String.raw`^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$`],
]);

/** Throws the error with the part of a pattern that cannot be enforced. */
export type RefusePattern = (reason: string) => never;

/** @throws the error of `refuse` */
export function patternLanguage(pattern: string, form: PatternForm, refuse: RefusePattern): Language {
  if (pattern.length > longestPattern)
    refuse(`has ${pattern.length} characters; patterns of up to ${longestPattern} can be enforced`);
  return new PatternParser(pattern, form, refuse).parse();
}

class PatternParser {
  readonly #source: string;
  readonly #form: PatternForm;
  readonly #refuseWith: RefusePattern;
  #next = 0;

  constructor(source: string, form: PatternForm, refuse: RefusePattern) {
    this.#source = source;
    this.#form = form;
    this.#refuseWith = refuse;
  }

  parse(): Language {
    const language = this.#alternatives(true);
    if (this.#next < this.#source.length) this.#refuse('has an unmatched ")"');
    return language;
  }

  #alternatives(outermost: boolean): Language {
    const choices = [this.#sequence(outermost)];
    while (this.#take('|')) choices.push(this.#sequence(outermost));
    return { choice: choices };
  }

  /** At the top level, an unanchored pattern may match anywhere in the text. */
  #sequence(outermost: boolean): Language {
    const parts: Language[] = [];
    const isOpen = outermost && !this.#form.matchesWhole;
    const anything = { of: { one: this.#form.characters }, least: 0, most: Number.POSITIVE_INFINITY };
    const anchored = outermost && this.#take('^');
    let ended = false;
    while (this.#next < this.#source.length && !'|)'.includes(this.#peek())) {
      if (ended) this.#refuse('continues after "$"');
      if (outermost && this.#take('$')) ended = true;
      else parts.push(this.#quantified(this.#atom()));
    }
    if (isOpen && !anchored) parts.unshift(anything);
    if (isOpen && !ended) parts.push(anything);
    return { sequence: parts };
  }

  #quantified(of: Language): Language {
    const match = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})/.exec(this.#source.slice(this.#next));
    if (match === null) return of;
    this.#next += match[0].length;
    this.#take('?'); // lazy or not, the same strings match
    const [all, fewest = all === '+' ? 1 : 0, comma, highest] = match;
    const least = Number(fewest);
    const open = all === '*' || all === '+' || (comma !== undefined && highest === '');
    const most = all === '?' ? 1 : open ? Number.POSITIVE_INFINITY : Number(highest ?? fewest);
    if (most < least) this.#refuse(`repeats by ${all}`);
    if (Math.max(least, open ? 0 : most) > mostStates) this.#refuse(`repeats too often (${all})`);
    return { of, least, most };
  }

  #atom(): Language {
    const character = this.#character();
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return this.#class();
      case '.':
        return { one: without(this.#form.characters, lineEnds) };
      case '\\': {
        const escaped = this.#escape();
        return typeof escaped === 'string' ? this.#form.write(escaped) : this.#oneOf(escaped);
      }
      case '^':
      case '$':
        return this.#refuse(`has ${JSON.stringify(character)} inside`);
      case '*':
      case '+':
      case '?':
        return this.#refuse(`has ${JSON.stringify(character)} with nothing to repeat`);
      default:
        return this.#form.write(character);
    }
  }

  #group(): Language {
    if (this.#take('?')) {
      const kind = /^(?::|<[A-Za-z_]\w*>)/.exec(this.#source.slice(this.#next));
      if (kind === null) this.#refuse('has a look-ahead or look-behind');
      this.#next += kind[0].length;
    }
    const inner = this.#alternatives(false);
    if (!this.#take(')')) this.#refuse('has an unmatched "("');
    return inner;
  }

  #class(): Language {
    const negated = this.#take('^');
    const ranges: CharacterRange[] = [];
    while (!this.#take(']')) {
      const from = this.#member();
      if (typeof from !== 'string') ranges.push(...from);
      else if (this.#peek() === '-' && this.#source[this.#next + 1] !== ']') {
        this.#next++;
        const to = this.#member();
        if (typeof to !== 'string' || to < from) this.#refuse('has a class with an invalid range');
        ranges.push([from.codePointAt(0)!, to.codePointAt(0)!]);
      } else ranges.push([from.codePointAt(0)!, from.codePointAt(0)!]);
    }
    return this.#oneOf(negated ? without(this.#form.characters, ranges) : ranges);
  }

  #member(): string | readonly CharacterRange[] {
    const character = this.#character();
    if (character !== '\\') return character;
    return this.#take('b') ? '\b' : this.#escape();
  }

  /** The part after a backslash: one character, or a class. */
  #escape(): string | readonly CharacterRange[] {
    const code = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this.#source.slice(this.#next));
    if (code !== null) {
      this.#next += code[0].length;
      return String.fromCharCode(Number.parseInt(code[1] ?? code[2]!, 16));
    }
    const letter = this.#character();
    const set = classes[letter.toLowerCase()];
    if (set !== undefined) return classes[letter] ?? without(this.#form.characters, set);
    if (controls[letter] !== undefined) return controls[letter];
    if (/[A-Za-z0-9]/.test(letter)) this.#refuse(`has "\\${letter}"`);
    return letter;
  }

  /** One of the characters of a class. */
  #oneOf(ranges: readonly CharacterRange[]): Language {
    const { characters, escaped, write } = this.#form;
    const kept = intersection(characters, ranges);
    const backslashed = Array.from(escaped).filter((character) => {
      const codePoint = character.codePointAt(0)!;
      return ranges.some(([from, to]) => from <= codePoint && codePoint <= to);
    });
    if (kept.length + backslashed.length === 0) this.#refuse('has a class without characters');
    return { choice: [...(kept.length > 0 ? [{ one: kept }] : []), ...backslashed.map(write)] };
  }

  #peek(): string {
    return this.#source[this.#next] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#next++;
    return true;
  }

  /** The next character; beyond U+FFFF only where the form has such characters. */
  #character(): string {
    const codePoint = this.#source.codePointAt(this.#next);
    if (codePoint === undefined) this.#refuse('ends unexpectedly');
    const isAllowed =
      codePoint <= 0xffff || intersection(this.#form.characters, [[codePoint, codePoint]]).length > 0;
    if (!isAllowed || (codePoint >= 0xd800 && codePoint <= 0xdfff))
      this.#refuse('has a character beyond U+FFFF');
    const character = String.fromCodePoint(codePoint);
    this.#next += character.length;
    return character;
  }

  #refuse(reason: string): never {
    return this.#refuseWith(`${reason}, which cannot be enforced: ${this.#source}`);
  }
}
