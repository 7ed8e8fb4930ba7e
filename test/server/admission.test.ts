import { describe, expect, it } from 'vitest';
import { Admission, type Admitted } from '../../src/server/admission.ts';

const admissionOf = (limits: Partial<Admission['limits']> = {}) =>
  new Admission({ parallel: 1, maxWaiting: 10, maxPerClient: 100, ...limits });

describe('limits', () => {
  const fill = (admission: Admission, client: string, count: number): Admitted[] =>
    Array.from({ length: count }, () => admission.enter(client));

  it('refuses requests above the limit, and tells the client to wait', () => {
    const admission = admissionOf({ parallel: 2, maxWaiting: 3 });
    const places = fill(admission, 'a', 5);
    let refusal: unknown;
    try {
      admission.enter('b');
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({
      status: 503,
      code: 'queue_full',
      headers: { 'retry-after': '5', 'x-should-retry': 'false' },
      message: expect.stringContaining('the limit is 2 running and 3 waiting'),
    });
    places[0]!.leave();
    admission.enter('b');
  });

  it('refuses a client above its own limit, but no other client', () => {
    const admission = admissionOf({ maxPerClient: 2 });
    const [place] = fill(admission, 'a', 2);
    expect(() => admission.enter('a')).toThrow(/This client has 2 requests; the limit is 2/);
    admission.enter('b');
    place!.leave();
    admission.enter('a');
  });
});
