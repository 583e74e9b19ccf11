import { describe, expect, it } from 'vitest';
import { parseEvent } from './containerd-events.ts';

describe('a line of "ctr events"', () => {
  it('has a topic and fields', () => {
    const line =
      '2026-01-02 03:04:05.678901234 +0000 UTC bench /snapshot/prepare {"key":"a b","parent":"sha256:1"}';
    expect(parseEvent(line, 7)).toEqual({
      topic: '/snapshot/prepare',
      fields: { key: 'a b', parent: 'sha256:1' },
      atMs: 7,
    });
  });

  it('may be something else', () => {
    expect(parseEvent('time="now" level=warning msg="what?"', 7)).toBeUndefined();
  });
});
