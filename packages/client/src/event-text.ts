/** One server-sent event. */
export interface TextEvent {
  readonly name: string;
  readonly data: string;
}

/** Takes pieces of a stream as they come, gives the events that are complete (HTML standard, server-sent events). */
export function createEventParser(): (piece: string) => TextEvent[] {
  let rest = '';
  let name = 'message';
  let data: string[] = [];
  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    const events: TextEvent[] = [];
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) events.push({ name, data: data.join('\n') });
        [name, data] = ['message', []];
        continue;
      }
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
    }
    return events;
  };
}
