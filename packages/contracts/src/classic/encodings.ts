/** A body as it goes out. Send it as bytes, so that no server adds a charset to the content type. */
export interface EncodedBody {
  readonly contentType: string;
  readonly text: string;
}

/**
 * The encodings of the compatible interface (root-api 2.2): `double` is a JSON string that holds JSON text,
 * `plain` is JSON, `text` is JSON under a wrong content type, `bare` is a word without quotes under the same.
 */
export type ClassicEncoding = 'bare' | 'double' | 'plain' | 'text';

export function encodeBody(encoding: ClassicEncoding, value: unknown): EncodedBody {
  if (encoding === 'plain') return { contentType: 'application/json', text: ascii(JSON.stringify(value)) };
  if (encoding === 'double') {
    return { contentType: 'application/json', text: JSON.stringify(spacedJson(value)) };
  }
  return {
    contentType: 'text/html; charset=utf-8',
    text: encoding === 'bare' ? String(value) : spacedJson(value),
  };
}

/**
 * JSON with a space after `,` and `:` and in ASCII, as the original writes it where it serialises by hand.
 * Built on the native serialiser, since lists get long; a line break in its output is never part of a value.
 */
function spacedJson(value: unknown): string {
  const lines = JSON.stringify(value, null, 1);
  return ascii(lines.replace(/,\n */g, ', ').replace(/\n */g, ''));
}

function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
