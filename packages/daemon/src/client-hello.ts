/** Bytes of the header of a TLS record: type, version, length. */
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_HEADER_BYTES = 4;
/** What TLS allows for one record. */
const LONGEST_RECORD_BYTES = 16_384;
const CLIENT_HELLO = 1;
/** RFC 7301. */
const ALPN_EXTENSION = 16;

/**
 * The application protocols that a TLS client offers (ALPN), read from its first bytes, of which nothing is consumed.
 * `incomplete`: there is more to come. Empty: it offers none, or says it in a way that is not understood here, which
 * is for TLS to judge.
 */
export function offeredProtocols(bytes: Buffer): readonly string[] | 'incomplete' {
  if (bytes.length < RECORD_HEADER_BYTES) return 'incomplete';
  const length = bytes.readUInt16BE(3);
  if (length > LONGEST_RECORD_BYTES) return [];
  if (bytes.length < RECORD_HEADER_BYTES + length) return 'incomplete';
  const record = bytes.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length);
  try {
    return protocolsOf(record);
  } catch (error) {
    // A length that points beyond the end.
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function protocolsOf(record: Buffer): readonly string[] {
  if (record.readUInt8(0) !== CLIENT_HELLO) return [];
  // One that is spread over several records is left alone: `slice` throws.
  const hello = slice(record, HANDSHAKE_HEADER_BYTES, record.readUIntBE(1, 3));
  // Version and random, then three lists: session id, cipher suites, compression methods.
  let at = 2 + 32;
  at += 1 + hello.readUInt8(at);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + hello.readUInt8(at);
  const extensions = slice(hello, at + 2, hello.readUInt16BE(at));
  for (let offset = 0; offset < extensions.length; ) {
    const content = slice(extensions, offset + 4, extensions.readUInt16BE(offset + 2));
    if (extensions.readUInt16BE(offset) === ALPN_EXTENSION)
      return namesOf(slice(content, 2, content.readUInt16BE(0)));
    offset += 4 + content.length;
  }
  return [];
}

function namesOf(list: Buffer): string[] {
  const names: string[] = [];
  for (let offset = 0; offset < list.length; ) {
    const name = slice(list, offset + 1, list.readUInt8(offset));
    names.push(name.toString('latin1'));
    offset += 1 + name.length;
  }
  return names;
}

function slice(bytes: Buffer, start: number, length: number): Buffer {
  if (start + length > bytes.length) throw new RangeError('beyond the end');
  return bytes.subarray(start, start + length);
}
