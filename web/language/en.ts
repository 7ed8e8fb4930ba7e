/** All texts of the page in English. zh.ts has the same entries. */
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
  rename: (title: string) => `Rename “${title}”`,
  newName: 'New name',
  untitled: 'An image',

  // The beginning
  welcome: 'Ask your documents',
  welcomeMore:
    'Drop images, PDFs or a folder here, paste them, or choose them. One image becomes a conversation, more become a table. Everything stays between this browser and your server.',
  tryOne: 'Or try one of these',
  demo: 'This is the small demo model.',
  demoMore:
    'It reads printed text in images like the examples, and guesses elsewhere. For real work, start the server with a published CogVLM2 checkpoint.',
  examples: {
    total: 'What is the total?',
    date: 'What is the date?',
    table: (receipts: number) => `${count(receipts)} receipts as a table`,
  },
  exampleLabel: (question: string) => `Ask the example image: ${question}`,

  // The composer
  question: 'Your question',
  questionHint: 'Ask something…',
  questionHintImage: 'Ask about the image…',
  chooseFiles: 'Choose images or PDFs',
  chooseFilesOrVideos: 'Choose images, videos or PDFs',
  chooseFolder: 'Choose a folder',
  takePhoto: 'Take a photo',
  removeImage: 'Remove the image',
  dropHere: 'Drop images, PDFs or a folder',
  send: 'Send',
  stop: 'Stop',
  suggestions: ['Describe this image.', 'What does the text say?', 'What is the total?'],
  demoSuggestions: ['What is the total?', 'What is the date?', 'What is in the picture?'],
  sendWaits: {
    connecting: 'Connecting to the server…',
    loading: 'The model is still loading. Your question is kept.',
    gone: 'The server cannot be reached. Your question is kept.',
    locked: 'The server asks for an API key.',
  },
  sentAs: (width: number, height: number) => `sent as ${width} × ${height}`,
  seenAs: (width: number, height: number) => `The model sees every image at ${width} × ${height}.`,
  originalSize: (width: number, height: number, bytes: number) =>
    `Original: ${width} × ${height}, ${size(bytes)}`,
  shrunk: (width: number, height: number, bytes: number) =>
    `Made smaller before sending, to ${width} × ${height} (${size(bytes)}): the server does not accept larger images.`,
  converted: 'Converted to JPEG before sending: the server reads PNG, JPEG and WebP.',
  preparing: 'Preparing the image…',
  notAnImage: (name: string) =>
    `“${name}” is not an image that this browser can read. PNG, JPEG and WebP always work.`,
  newImage: 'from here on the model sees this image; it sees one image at a time.',

  // The answer
  you: 'You',
  waiting: 'Waiting for the server…',
  stages: { vision: 'Reading the image', prefill: 'Reading the question' },
  layer: (done: number, total: number) => `layer ${done} of ${total}`,
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
  interrupted: 'Interrupted when the page was closed.',
  cutShort:
    'The answer reached the length limit. Raise “Longest answer” in the settings, or ask the model to continue.',
  empty: 'The answer of the model is empty.',
  tryAgain: 'Try again',
  latest: 'Go to the latest',
  failures: {
    unreachable: 'The server could not be reached.',
    broken_off: 'The connection was lost during the answer.',
    unreadable: 'The page cannot read the response of the server.',
    context_length_exceeded: 'This conversation does not fit into the context of the model. Start a new one.',
    queue_full: 'The server is busy.',
    rate_limited: 'Too many questions in a short time.',
    model_loading: 'The model is still loading.',
    invalid_api_key: 'The server does not accept the API key.',
    invalid_image: 'The image or video cannot be read.',
    invalid_image_format: 'The server does not read this kind of file.',
    image_too_large: 'The image or video is too large for the server.',
    request_too_large: 'The request is too large for the server.',
    engine_failed: 'The model failed on the server.',
    engine_stopped: 'The model stopped on the server; it is being started again.',
    out_of_memory: 'The server does not have enough memory for this.',
    shutting_down: 'The server is shutting down.',
    request_timeout: 'The answer took longer than the server allows.',
    incomplete: 'The model did not give a complete answer.',
  } as Record<string, string>,
  failed: 'That did not work.',
  failureDetail: 'Details from the server',

  // The document
  document: {
    name: 'Document',
    tools: 'Tools for the document',
    pages: 'Pages',
    zoomIn: 'Zoom in',
    zoomOut: 'Zoom out',
    fit: 'Fit the whole image',
    turn: 'Rotate by 90°; the image is sent as shown',
    markRegion: 'Mark a region to ask about',
    cancelRegion: 'Stop marking',
    regionKeys: 'Region: arrow keys move it, Shift and arrow keys resize it, Enter confirms it',
    regionOnly: 'Only the marked region is sent.',
    regionAsked: 'Only this region was sent',
    wholeImage: 'Send the whole image',
    showBoxes: 'Show the boxes of the answer',
    box: (number: number, phrase: string) =>
      phrase === '' ? `Box ${number} on the image` : `Box ${number} on the image: ${phrase}`,
  },

  // Videos
  video: {
    noVideoModel: (name: string) =>
      `“${name}” is a video, and this model sees images only. Start the server with a video model, such as cogvlm2-llama3-caption.`,
    unreadable: (name: string) =>
      `“${name}” cannot be read: this browser does not play it, and the server reads no video file of this kind or size.`,
    notShown: 'This browser cannot play the video. The server reads it when you ask.',
    hint: 'Ask about the video…',
    suggestions: ['Please describe this video in detail.', 'What happens?'],
    second: (second: number) => `${second} s`,
    perVideo: (seconds: number) => `about ${duration(seconds)} per video on this server`,
    frames: 'Frames that the model sees',
    /** @param seen seconds from the beginning */
    sent: (seen: number, duration: number | null) =>
      duration !== null && duration > seen
        ? `The model sees one frame a second of the first ${seen} of ${Math.ceil(duration)} seconds.`
        : 'The model sees one frame a second.',
  },

  // Tables: many pages
  batch: {
    newTable: 'New table',
    skip: 'Skip to the table',
    untitled: 'Table',
    tables: 'Tables',
    name: 'Name of the table',
    defaultName: (files: number) => `${count(files)} files`,
    size: (pages: number, read: number) =>
      `${count(pages)} ${pages === 1 ? 'page' : 'pages'}${read > 0 ? `, ${count(read)} read` : ''}`,
    addFiles: 'Add files',
    reading: (index: number, total: number, name: string) => `Reading file ${index} of ${total}: ${name}`,
    skipped: (files: number) =>
      files === 1
        ? '1 file is not an image or a PDF and was skipped.'
        : `${count(files)} files are not images or PDFs and were skipped.`,
    tooMany: (limit: number) =>
      `A table has at most ${count(limit)} pages. The command line (cogvlm2 batch) takes more.`,
    notReadPdf: (name: string, pages: number, why: string) =>
      `“${name}” was not read completely (${count(pages)} ${pages === 1 ? 'page' : 'pages'} read): ${why}`,
    noImage: 'This page has no image.',
    plan: 'Questions for each page',
    changePlan: 'Change the questions',
    kinds: { questions: 'Questions', fields: 'Fields' },
    presets: 'Presets:',
    presetNames: { receipt: 'Receipt', invoice: 'Invoice', idCard: 'ID card' },
    presetFields: {
      receipt: [
        ['Shop', 'What is the name of the shop?'],
        ['Date', 'What is the date?'],
        ['Total', 'What is the total?'],
      ],
      invoice: [
        ['Company', 'What is the company?'],
        ['Number', 'What is the invoice number?'],
        ['Date', 'What is the date?'],
        ['Tax', 'What is the tax?'],
        ['Total', 'What is the total?'],
      ],
      idCard: [
        ['Name', 'What is the name?'],
        ['Number', 'What is the number?'],
        ['Birthday', 'What is the birthday?'],
        ['Valid until', 'What is the valid until?'],
      ],
    } as Record<'receipt' | 'invoice' | 'idCard', [name: string, hint: string][]>,
    question: (index: number) => `Question ${index}`,
    firstQuestion: 'What is the total?',
    nextQuestion: 'Another question',
    removeColumn: (name: string) => `Remove “${name}”`,
    fieldName: 'Name',
    fieldType: 'Type',
    fieldHint: 'Hint, or the question that asks for it',
    required: 'Required',
    types: { text: 'Text', number: 'Number', boolean: 'Yes or no', list: 'List' },
    addField: 'Add a field',
    jsonSchema: 'JSON Schema',
    pasteSchema: 'The schema that is sent. You can paste another one here.',
    pasted: (names: string) => `From a pasted JSON Schema: ${names}.`,
    editFields: 'Edit as fields',
    schemaProblems: {
      notJson: 'This is not complete JSON.',
      notAnObject: 'The schema must describe an object: "type": "object".',
      noProperties: 'The schema has no "properties", so there is nothing to read.',
    },
    separately: 'One question for each field (better for small models)',
    readDocument: 'Read the document.',
    questionFor: (name: string) => `What is the ${name.toLowerCase()}?`,
    cutOff: 'The answer was cut at the length limit. Raise “Longest answer” in the settings.',
    noJson: 'The answer is not a JSON object.',
    needsPlan: 'Write a question or choose fields first.',
    start: (pages: number) => `Read ${count(pages)} ${pages === 1 ? 'page' : 'pages'}`,
    resume: (pages: number) => (pages === 0 ? 'All pages are read' : `Resume, ${count(pages)} left`),
    retry: (pages: number) => `Retry ${count(pages)} failed`,
    askAllAgain: 'Clear the answers',
    cleared: 'The answers were cleared.',
    pageRemoved: 'The page was removed.',
    deleted: 'Table deleted.',
    finished: (done: number, failed: number) =>
      `${count(done)} ${done === 1 ? 'page' : 'pages'} read${failed > 0 ? `, ${count(failed)} failed` : ''}.`,
    progress: (done: number, total: number) => `${count(done)} of ${count(total)} pages`,
    notMeasured: 'The time is shown after this server has read an image.',
    estimate: (seconds: number) => `About ${duration(seconds)} on this server.`,
    perImage: (seconds: number) => `about ${duration(seconds)} per image on this server`,
    notifyMe: 'Notify me at the end',
    copyTable: 'Copy',
    table: 'Table',
    page: 'Page',
    state: 'State',
    actions: 'Actions',
    head: { file: 'File', page: 'Page', state: 'State' },
    states: { waiting: 'Waiting', running: 'Reading', done: 'Read', failed: 'Failed' },
    empty: 'empty',
    doubtful: 'The answer does not fit the type of the field: please check.',
    corrected: 'Corrected',
    modelRead: (value: string) => `The model read: ${value === '' ? '(nothing)' : value}`,
    notRead: 'Not read yet',
    removePage: (name: string) => `Remove ${name}`,
    backToTable: 'Table',
    previousPage: 'Previous page',
    nextPage: 'Next page',
  },

  // The context meter
  context: (used: number, total: number) => `${count(used)} of ${count(total)} tokens`,
  contextMore: (image: number, text: number) =>
    `Context of the model: ${count(image)} tokens of the image, ${count(text)} tokens of text.`,
  contextFull: 'Nearly full: start a new conversation soon.',

  // The server
  status: {
    connecting: 'Connecting…',
    loading: 'Loading the model',
    gone: 'Not reachable',
    locked: 'Locked',
    ready: 'Ready',
  },
  loading: 'The model is loading. You can already write your question.',
  gone: 'The server cannot be reached. The page retries automatically; nothing is lost.',
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
  display: 'Display',
  showDetails: 'Show tokens, speed and context use',
  showEvidence: 'Mark where answers were read (experimental)',
  whereRead: 'Show where this was read',
  notify: 'Notify me when long work ends',
  sampling: 'Sampling',
  samplingHint: 'Empty fields use the values of the server.',
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
    temperature: '0 always gives the same answer; higher values vary more.',
    top_p: 'Samples from the most likely tokens with this total probability.',
    top_k: 'Samples from this number of the most likely tokens; 0 means all.',
    min_p: 'Drops tokens with less than this fraction of the highest probability.',
    repetition_penalty: '1 is off; higher values repeat less.',
    max_tokens: 'Maximum length of an answer.',
    seed: 'The same seed gives the same answer; empty for a random one.',
  },
  chance: 'random',
  between: (min: number, max: number) => `From ${min} to ${max}`,
  reset: 'Use the values of the server',
  data: 'Your conversations',
  dataHint: 'They are kept in this browser and nowhere else.',
  notRead: 'The conversations of this browser could not be read. They are not changed.',
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
    zoom: 'Zoom in, zoom out, fit (on the document)',
    rotate: 'Rotate (on the document)',
    nextPage: 'Same field of the next page (in a form)',
    previousPage: 'Same field of the previous page (in a form)',
  },
};

/** `40 s`, `12 min`, `3 h 20 min` */
function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export type Text = typeof en;
