/** What an answer is held to, token by token. */
export type AnswerFormat =
  /** A JSON object, whatever is in it. */
  | { type: 'json_object' }
  /** JSON that validates against `schema`, a JSON Schema (draft 2020-12). docs/library.md lists what is enforced. */
  | { type: 'json_schema'; schema: object; name?: string }
  /** A text that the regular expression matches from its start to its end. No look-around and no back references. */
  | { type: 'regex'; pattern: string }
  /** One of these texts. */
  | { type: 'choice'; choices: readonly string[] };
