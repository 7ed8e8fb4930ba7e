/** Everything the page says, in English. zh.ts has the same entries. */
import { count, size } from './numbers.ts';

export const en = {
  code: 'en',
  // Around the conversation
  skip: 'Skip to the question',
  newConversation: 'New conversation',
  conversations: 'Conversations',
  openConversations: 'Show conversations',
  closeConversations: 'Hide conversations',
  search: 'Search conversations',
  nothingFound: 'Nothing found.',
  noConversations: 'Your conversations will be kept here, in this browser.',
  today: 'Today',
  yesterday: 'Yesterday',
  earlier: 'Earlier',
  deleteConversation: (title: string) => `Delete “${title}”`,
  conversationDeleted: 'Conversation deleted.',
  undo: 'Undo',
  close: 'Close',
  settings: 'Settings',
  untitled: 'A picture',

  // The beginning
  welcome: 'Ask a picture anything',
  welcomeMore:
    'Drop one here, paste it, or choose it. Everything stays between this browser and your server.',
  tryOne: 'Or try one of these',
  demo: 'This is the small demonstration model.',
  demoMore:
    'It shows how everything works; do not rely on its answers. For real work, start the server with a published CogVLM2 checkpoint.',
  examples: {
    receipt: 'What is the total?',
    chart: 'What is in the picture?',
    form: 'What is the date?',
  },
  exampleLabel: (question: string) => `Ask the example picture: ${question}`,

  // The composer
  question: 'Your question',
  questionHint: 'Ask something…',
  questionHintPicture: 'Ask about the picture…',
  choosePicture: 'Choose a picture',
  takePhoto: 'Take a photo',
  removePicture: 'Remove the picture',
  dropHere: 'Drop the picture here',
  send: 'Send',
  stop: 'Stop',
  suggestions: ['Describe this picture.', 'What does the text say?', 'What stands out here?'],
  sendWaits: {
    connecting: 'Connecting to the server…',
    loading: 'The model is still loading. Your question is kept.',
    gone: 'The server cannot be reached. Your question is kept.',
    locked: 'The server asks for an API key.',
  },
  sentAs: (width: number, height: number) => `sent as ${width} × ${height}`,
  seenAs: (width: number, height: number) => `The model sees every picture at ${width} × ${height}.`,
  originalSize: (width: number, height: number, bytes: number) =>
    `Original: ${width} × ${height}, ${size(bytes)}`,
  shrunk: (width: number, height: number, bytes: number) =>
    `Made smaller before sending, to ${width} × ${height} (${size(bytes)}): the server takes no larger ones.`,
  converted: 'Converted to JPEG before sending: the server reads PNG, JPEG and WebP.',
  preparing: 'Preparing the picture…',
  notAPicture: (name: string) =>
    `“${name}” is not a picture that this browser can read. PNG, JPEG and WebP always work.`,
  onlyOne: (name: string) => `One picture at a time: only “${name}” was taken.`,
  newPicture: 'From here on the model looks at this picture; it sees one at a time.',

  // The answer
  you: 'You',
  waiting: 'Waiting for the server…',
  stages: { vision: 'Looking at the picture', prefill: 'Reading the question' },
  timeLeft: (seconds: number) =>
    seconds < 60 ? `about ${seconds} s left` : `about ${Math.ceil(seconds / 60)} min left`,
  answering: 'Answering…',
  copy: 'Copy',
  copied: 'Copied',
  notCopied: 'The browser did not let the page copy. Select the text instead.',
  copyCode: 'Copy code',
  askAgain: 'Ask again',
  editQuestion: 'Edit the question',
  cancel: 'Cancel',
  version: (index: number, total: number) => `Version ${index} of ${total}`,
  previousVersion: 'Previous version',
  nextVersion: 'Next version',
  speed: (tokens: number, perSecond: number | null, firstSeconds: number) =>
    [
      `${count(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`,
      ...(perSecond === null ? [] : [`${perSecond.toFixed(1)} tokens/s`]),
      `first after ${firstSeconds.toFixed(firstSeconds < 1 ? 2 : 1)} s`,
    ].join(' · '),
  stopped: 'Stopped.',
  interrupted: 'Broken off when the page was closed.',
  cutShort:
    'The answer reached its longest length. Raise “Longest answer” in the settings, or ask it to go on.',
  empty: 'The model answered with nothing.',
  tryAgain: 'Try again',
  latest: 'Go to the latest',
  failures: {
    unreachable: 'The server could not be reached.',
    broken_off: 'The connection broke off in the middle of the answer.',
    unreadable: 'The server answered in a way this page does not understand.',
    context_length_exceeded:
      'This conversation no longer fits what the model can keep in mind. Begin a new one.',
    queue_full: 'The server has too much to do right now.',
    rate_limited: 'Too many questions in a short time.',
    model_loading: 'The model is still loading.',
    invalid_api_key: 'The server does not accept the API key.',
    invalid_image: 'The server cannot read this picture.',
    invalid_image_format: 'The server cannot read this picture.',
    image_too_large: 'The picture is too large for the server.',
    request_too_large: 'The request is too large for the server.',
    engine_failed: 'The model failed on the server.',
    engine_stopped: 'The model stopped on the server; it is being started again.',
    out_of_memory: 'The server has not enough memory for this.',
    shutting_down: 'The server is shutting down.',
    request_timeout: 'The answer took longer than the server allows.',
  } as Record<string, string>,
  failed: 'That did not work.',

  // The context meter
  context: (used: number, total: number) => `${count(used)} of ${count(total)} tokens`,
  contextMore: (picture: number, text: number) =>
    `What the model keeps in mind: ${count(picture)} tokens of picture, ${count(text)} of text.`,
  contextFull: 'Nearly full: begin a new conversation soon.',

  // The server
  status: {
    connecting: 'Connecting…',
    loading: 'Loading the model',
    gone: 'Not reachable',
    locked: 'Locked',
    ready: 'Ready',
  },
  loading: 'The model is loading. You can already write your question.',
  gone: 'The server cannot be reached. Trying again by itself; nothing is lost.',
  locked: 'The server asks for an API key.',
  apiKey: 'API key',
  apiKeyHint: 'Kept in this browser only, sent to this server only.',
  saveKey: 'Use this key',

  // Settings
  language: 'Language',
  theme: 'Appearance',
  auto: 'Automatic',
  light: 'Light',
  dark: 'Dark',
  sampling: 'How answers are made',
  samplingHint: 'Empty fields follow the server.',
  samplingNames: {
    temperature: 'Temperature',
    top_p: 'Top P',
    top_k: 'Top K',
    min_p: 'Min P',
    repetition_penalty: 'Repetition penalty',
    max_tokens: 'Longest answer (tokens)',
    seed: 'Seed',
  },
  samplingHints: {
    temperature: '0 gives the same answer each time; higher is more varied.',
    top_p: 'Only the likeliest tokens that together reach this share.',
    top_k: 'Only this many of the likeliest tokens; 0 for all.',
    min_p: 'Drops tokens less likely than this share of the likeliest.',
    repetition_penalty: '1 is off; higher repeats less.',
    max_tokens: 'Where an answer ends at the latest.',
    seed: 'The same seed gives the same answer; empty for a random one.',
  },
  chance: 'random',
  between: (min: number, max: number) => `From ${min} to ${max}`,
  reset: 'Back to the server’s',
  data: 'Your conversations',
  dataHint: 'They are kept in this browser and nowhere else.',
  notRead: 'The conversations of this browser could not be read. They are left as they are.',
  pageFailed: 'The page could not be drawn. Load it again; conversations are kept.',
  notKept:
    'This browser keeps nothing for this page (a private window, perhaps): conversations are gone when it is closed. Export what you need.',
  quota: (used: number, total: number) => `${size(used)} used of ${size(total)}`,
  quotaUsed: (used: number) => `${size(used)} used`,
  exportAll: 'Export',
  importFile: 'Import',
  exported: (conversations: number) =>
    `Exported ${count(conversations)} ${conversations === 1 ? 'conversation' : 'conversations'}.`,
  imported: (added: number, known: number) =>
    `Imported ${count(added)} ${added === 1 ? 'conversation' : 'conversations'}${known > 0 ? `; ${count(known)} already here` : ''}.`,
  importFailed: (reason: string) => `Nothing was imported: ${reason}`,
  importReasons: {
    notJson: 'the file is not JSON, or is cut short.',
    notOurs: 'the file is not an export of this page.',
    newer: 'the file is from a newer version of this page.',
    broken: (where: string) => `the file is damaged at ${where}.`,
  },
  deleteAll: 'Delete all',
  deleteAllSure: (conversations: number) => `Really delete all ${count(conversations)}?`,
  deletedAll: 'All conversations deleted.',
  notSaved: 'This browser’s storage is full: the latest change is not saved. Export or delete conversations.',
  serverAndModel: 'Server',
  shortcuts: 'Keyboard',
  shortcutNames: {
    send: 'Send',
    line: 'New line',
    stop: 'Stop the answer',
    fresh: 'New conversation',
    search: 'Search conversations',
    focus: 'Go to the question',
    edit: 'Edit the last question (in an empty field)',
  },
};

export type Text = typeof en;
