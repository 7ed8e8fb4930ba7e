import { describe, expect, it } from 'vitest';
import { ImportError, mergeImport, parseExport } from '../../web/conversation/import-file.ts';

const turn = {
  id: 't1',
  parentId: null,
  createdAt: 1,
  question: 'What?',
  imageId: 'p1',
  answer: {
    state: 'running',
    text: 'That',
    finishReason: null,
    model: 'demo',
    usage: { promptTokens: 3, imageTokens: 1, completionTokens: 1 },
    speed: { firstTokenMs: 5, tokensPerSecond: null },
    failure: null,
    warning: null,
  },
};
const image = {
  id: 'p1',
  name: 'a.png',
  width: 1,
  height: 1,
  original: null,
  thumbnail: 'data:image/jpeg;base64,AAAA',
  data: 'data:image/png;base64,iVBORw==',
};
const conversation = { id: 'c1', createdAt: 1, updatedAt: 2, turns: [turn], chosen: { '': 't1' } };
const file = {
  format: 'cogvlm2-conversations',
  version: 2,
  conversations: [conversation],
  images: [image],
};

const problemOf = (value: unknown) => {
  try {
    parseExport(typeof value === 'string' ? value : JSON.stringify(value));
  } catch (error) {
    if (error instanceof ImportError) return `${error.problem} ${error.where}`.trim();
    throw error;
  }
  return 'none';
};
const withTurn = (change: object) => ({
  ...file,
  conversations: [{ ...conversation, turns: [{ ...turn, ...change }] }],
});
const withImage = (change: object) => ({ ...file, images: [{ ...image, ...change }] });

describe('an exported file', () => {
  it('is imported without changes, and running answers are stopped', async () => {
    const { conversations, images } = parseExport(JSON.stringify(file));
    expect(conversations[0]?.turns[0]?.answer).toMatchObject({ state: 'interrupted', text: 'That' });
    expect(images[0]).toMatchObject({ id: 'p1', width: 1 });
    expect(Buffer.from(await images[0]!.blob.arrayBuffer()).toString('hex')).toBe('89504e47');
  });

  it('keeps a video with its frames, and refuses an invalid one', async () => {
    const video = {
      file: 'data:video/webm;base64,AAAA',
      frames: [{ second: 3, data: 'data:image/jpeg;base64,AAAA' }],
      durationSeconds: 3.5,
    };
    const [back] = parseExport(JSON.stringify(withImage({ video }))).images;
    expect(back?.video?.file?.type).toBe('video/webm');
    expect(back?.video?.frames).toMatchObject([{ second: 3 }]);
    const script = { ...video, file: 'data:text/html;base64,AAAA' };
    expect(problemOf(withImage({ video: script }))).toBe('broken images[0].video.file');
  });

  it('of version 0.3 is imported', () => {
    const { imageId, ...rest } = turn;
    const old = {
      format: file.format,
      version: 1,
      conversations: [{ ...conversation, turns: [{ ...rest, pictureId: imageId }] }],
      pictures: [image],
    };
    const { conversations, images } = parseExport(JSON.stringify(old));
    expect(conversations[0]?.turns[0]).toMatchObject({ imageId: 'p1' });
    expect(conversations[0]?.turns[0]).not.toHaveProperty('pictureId');
    expect(images[0]).toMatchObject({ id: 'p1' });
  });

  it.each([
    ['nothing', '', 'notJson'],
    ['half of it', JSON.stringify(file).slice(0, 200), 'notJson'],
    ['a list', [], 'notOurs'],
    ['another program’s', { format: 'chat', conversations: [] }, 'notOurs'],
    ['a newer one', { ...file, version: 3 }, 'newer'],
    ['no conversations', { ...file, conversations: undefined }, 'broken conversations'],
    ['a number for a conversation', { ...file, conversations: [conversation, 3] }, 'broken conversations[1]'],
    [
      'a question that is no text',
      withTurn({ question: { html: '<b>' } }),
      'broken conversations[0].turns[0].question',
    ],
    ['a parent that is not there', withTurn({ parentId: 'gone' }), 'broken conversations[0].turns[0]'],
    ['a turn that is its own parent', withTurn({ parentId: 't1' }), 'broken conversations[0].turns[0]'],
    ['an image that is not there', withTurn({ imageId: 'p2' }), 'broken conversations[0].turns[0].imageId'],
    [
      'an unknown state',
      withTurn({ answer: { ...turn.answer, state: 'odd' } }),
      'broken conversations[0].turns[0].answer.state',
    ],
    ['an image that is SVG', withImage({ data: 'data:image/svg+xml;base64,AAAA' }), 'broken images[0].data'],
    ['an image that is not base64', withImage({ data: 'data:image/png;base64,A!' }), 'broken images[0].data'],
    [
      'a thumbnail from elsewhere',
      withImage({ thumbnail: 'https://x.test/a' }),
      'broken images[0].thumbnail',
    ],
    ['a width below nothing', withImage({ width: -1 }), 'broken images[0].width'],
  ])('with %s is refused completely, with the position', (_, value, problem) => {
    expect(problemOf(value)).toBe(problem);
  });

  it('adds new conversations, skips equal ones, and keeps both if they are different', () => {
    const imported = parseExport(JSON.stringify(file));
    const here = imported.conversations;
    const other = [{ ...here[0]!, turns: [{ ...here[0]!.turns[0]!, question: 'Other?' }] }];
    expect(mergeImport(imported, [], () => 'new')).toEqual({ added: here, known: 0 });
    expect(mergeImport(imported, here, () => 'new')).toEqual({ added: [], known: 1 });
    expect(mergeImport(imported, other, () => 'new').added.map(({ id }) => id)).toEqual(['new']);
  });
});
