/** A minimal OpenAI-compatible server. The test gives its answers; the server records the requests. */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ChatRequest {
  model: string;
  temperature: number;
  max_tokens?: number;
  seed?: number;
  messages: { content: string | { type: string; text?: string; image_url?: { url: string } }[] }[];
}

/** A text is the answer; a number is the status of a failure. */
export type Answers = (
  prompt: string,
  request: ChatRequest,
  asked: number,
) => string | number | Promise<string | number>;

export interface ChatServer extends AsyncDisposable {
  url: string;
  requests: ChatRequest[];
  authorizations: (string | undefined)[];
}

export async function chatServer(answers: Answers): Promise<ChatServer> {
  const requests: ChatRequest[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = await listen(async (incoming, outgoing) => {
    const request = await requestOf(incoming);
    requests.push(request);
    authorizations.push(incoming.headers.authorization);
    const found = await answers(promptOf(request), request, requests.length);
    if (typeof found === 'number') outgoing.writeHead(found).end('no');
    else {
      const choices = [{ message: { role: 'assistant', content: found }, finish_reason: 'stop' }];
      outgoing.end(JSON.stringify({ choices, usage: { completion_tokens: 3 } }));
    }
  });
  return { ...server, requests, authorizations };
}

/** A server on a free port of this machine. */
export async function listen(answer: RequestListener): Promise<{ url: string } & AsyncDisposable> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function requestOf(incoming: IncomingMessage): Promise<ChatRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as ChatRequest;
}

export function promptOf({ messages }: ChatRequest): string {
  const content = messages[0]!.content;
  return typeof content === 'string' ? content : (content.find(({ type }) => type === 'text')?.text ?? '');
}
