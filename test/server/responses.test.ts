/** `/v1/responses` without sockets, with a scripted model: the request, the object, and the events of a stream. */
import { beforeEach, describe, expect, it } from 'vitest';
import { until } from '../cli/memory-terminal.ts';
import { type TestApp, testApp } from './in-process.ts';
import { type ScriptedHost, scriptedHost } from './scripted-host.ts';

let host: ScriptedHost;
let server: TestApp;
beforeEach(async () => {
  host = scriptedHost();
  server = await testApp({ load: host.load });
  await server.started;
});

const post = (body: object, headers: Record<string, string> = {}) =>
  server.post('/v1/responses', body, headers);
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; message: string; param: string } };
  return { status: response.status, ...error };
};
/** Name and data of each event. */
async function eventsOf(response: Response): Promise<{ event: string; data: Record<string, unknown> }[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('event: '))
    .map((event) => {
      const [name, data] = event.split('\n');
      return { event: name!.slice(7), data: JSON.parse(data!.slice(6)) as Record<string, unknown> };
    });
}

const weather = {
  type: 'function',
  name: 'weather',
  description: 'Weather of a city',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  strict: true,
};

describe('a response', () => {
  it('has the answer, the usage, and the fields of the request', async () => {
    const response = await post(
      {
        input: 'Why?',
        instructions: 'Be brief.',
        max_output_tokens: 2,
        metadata: { a: 'b' },
        temperature: 0.5,
      },
      { 'x-request-id': 'mine' },
    );
    expect(await response.json()).toMatchObject({
      id: 'resp_mine',
      object: 'response',
      status: 'incomplete',
      incomplete_details: { reason: 'max_output_tokens' },
      error: null,
      instructions: 'Be brief.',
      max_output_tokens: 2,
      metadata: { a: 'b' },
      model: 'demo',
      output: [
        {
          id: 'msg_mine',
          type: 'message',
          role: 'assistant',
          status: 'incomplete',
          content: [{ type: 'output_text', text: 'word word ', annotations: [], logprobs: [] }],
        },
      ],
      parallel_tool_calls: true,
      previous_response_id: null,
      store: false,
      temperature: 0.5,
      text: { format: { type: 'text' } },
      tool_choice: 'auto',
      tools: [],
      usage: {
        input_tokens: 4,
        input_tokens_details: { cached_tokens: 1 },
        output_tokens: 2,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: 6,
      },
    });
    expect(host.questions).toEqual(['Be brief.\n\nWhy?']);
  });

  it('uses the items of a conversation, with its calls', async () => {
    const input = [
      { role: 'developer', content: 'Be brief.' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Weather in Oslo?' }] },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'function_call', id: 'fc_1', call_id: 'c1', name: 'weather', arguments: '{"city":"Oslo"}' },
      { type: 'function_call_output', call_id: 'c1', output: '3 degrees' },
      {
        type: 'message',
        id: 'msg_1',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Cold.', annotations: [], logprobs: [] }],
      },
      { role: 'user', content: 'And tomorrow?' },
    ];
    const response = await post({ input, max_output_tokens: 1 });
    const { warnings } = (await response.json()) as { warnings: string[] };
    expect(warnings).toEqual(['input[2] was ignored: the model does not read reasoning items']);
    expect(host.questions).toEqual(['And tomorrow?']);
    expect(host.histories).toEqual([
      [
        { question: 'Be brief.\n\nWeather in Oslo?', answer: 'weather({"city":"Oslo"})' },
        { question: 'Result of weather: 3 degrees', answer: 'Cold.' },
      ],
    ]);
  });

  it('is a call if a tool is required', async () => {
    const tool_choice = { type: 'function', name: 'weather' };
    const response = await post({ input: 'Oslo?', tools: [weather], tool_choice, max_output_tokens: 1 });
    expect(await response.json()).toMatchObject({
      output: [{ type: 'function_call', name: 'weather', arguments: 'word ', status: 'incomplete' }],
      tools: [weather],
      tool_choice,
    });
    expect(host.formats).toEqual([{ type: 'json_schema', schema: weather.parameters }]);
  });

  it('has the requested format', async () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema', name: 'a', schema, strict: true };
    await post({ input: '?', text: { format }, max_output_tokens: 1 });
    expect(host.formats).toEqual([{ type: 'json_schema', schema }]);
  });
});

describe('a stream', () => {
  it('has the events of a text', async () => {
    const response = await post({ input: 'Why?', stream: true, max_output_tokens: 2 });
    const events = await eventsOf(response);
    expect(events.map(({ event }) => event)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.incomplete',
    ]);
    expect(events.map(({ data }) => data.sequence_number)).toEqual(events.map((_, i) => i));
    expect(events.every(({ event, data }) => data.type === event)).toBe(true);
    const ids = events.flatMap(({ data }) => (data.item_id === undefined ? [] : [data.item_id]));
    expect(new Set(ids).size).toBe(1);
    expect(events[6]?.data).toMatchObject({ output_index: 0, content_index: 0, text: 'word word ' });
    expect(events.at(-1)?.data).toMatchObject({
      response: {
        status: 'incomplete',
        output: [{ content: [{ text: 'word word ' }] }],
        usage: { output_tokens: 2 },
      },
    });
  });

  it('has the events of a call', async () => {
    const fields = { tools: [weather], tool_choice: 'required', stream: true, max_output_tokens: 1 };
    const events = await eventsOf(await post({ input: 'Oslo?', ...fields }));
    expect(events.map(({ event }) => event)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
      'response.incomplete',
    ]);
    expect(events[2]?.data).toMatchObject({
      item: { type: 'function_call', name: 'weather', arguments: '' },
    });
    expect(events[5]?.data).toMatchObject({ item: { arguments: 'word ' } });
  });

  it('reports an error, and can be cancelled by its id', async () => {
    let release = () => {};
    host.gate = new Promise((resolve) => {
      release = () => {
        host.gate = null;
        resolve();
      };
    });
    const response = await post({ input: 'Why?', stream: true }, { 'x-request-id': 'mine' });
    await until(() => host.steps > 0);
    expect((await server.post('/v1/cancel/resp_mine', '')).status).toBe(200);
    release();
    const events = await eventsOf(response);
    expect(events.slice(-2)).toMatchObject([
      { event: 'error', data: { code: 'cancelled', error: { code: 'cancelled' } } },
      { event: 'response.failed', data: { response: { status: 'failed', error: { code: 'cancelled' } } } },
    ]);
  });
});

it('works without /v1, and its tokens are counted', async () => {
  expect((await server.post('/responses', { input: 'Why?', max_output_tokens: 1 })).status).toBe(200);
  expect(await (await server.post('/v1/responses/input_tokens', { input: 'Why?' })).json()).toEqual({
    object: 'response.input_tokens',
    input_tokens: 4,
    image_tokens: 0,
  });
});

describe('wrong fields are refused with their names in this API:', () => {
  it.each<[object, string, RegExp]>([
    [{ input: 5 }, 'input', /must be a string or a list of items; got 5/],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0]', /got "item_reference"/],
    [
      { input: [{ role: 'user', content: [{ type: 'input_file' }] }] },
      'input[0].content[0]',
      /got "input_file"/,
    ],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id', /stores no responses: send the whole/],
    [{ conversation: 'c' }, 'conversation', /stores no conversations/],
    [{ background: true }, 'background', /not supported here/],
    [{ prompt: { id: 'p' } }, 'prompt', /stores no prompts/],
    [{ text: { format: { type: 'xml' } } }, 'text.format.type', /must be text, json_object or json_schema/],
    [{ text: { format: { type: 'json_schema', name: 'a', schema: 5 } } }, 'text.format.schema', /got 5/],
    [{ max_output_tokens: 0 }, 'max_output_tokens', /above 0/],
    [{ messages: [], grammar: 'x' }, 'grammar', /text\.format/],
    [{ messages: [{ role: 'user', content: 'Why?' }] }, 'messages', /input of \/v1\/responses/],
  ])('%j', async (fields, param, message) => {
    expect(await errorOf(await post({ input: '?', ...fields }))).toMatchObject({
      status: 400,
      param,
      message: expect.stringMatching(message),
    });
  });

  it('ignored fields give a warning', async () => {
    const response = await post({
      input: '?',
      max_output_tokens: 1,
      store: true,
      truncation: 'auto',
      reasoning: { effort: 'low', summary: null },
      n: 2,
      text: { verbosity: 'low' },
      include: ['reasoning.encrypted_content'],
    });
    const { warnings, output } = (await response.json()) as { warnings: string[]; output: object[] };
    expect(output).toHaveLength(1);
    expect(warnings).toEqual([
      expect.stringMatching(/^n was ignored/),
      expect.stringMatching(/^store was ignored/),
      expect.stringMatching(/^truncation was ignored/),
      expect.stringMatching(/^reasoning\.effort was ignored/),
      expect.stringMatching(/^text\.verbosity was ignored/),
    ]);
  });
});
