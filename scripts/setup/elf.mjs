const PROGRAM_INTERPRETER = 3;

/**
 * Whether a program file brings everything along: an ELF file that asks for no interpreter (dynamic linker).
 * @param {Buffer} file the file's content; its first kilobytes suffice
 * @returns {boolean} false also for what is no ELF file
 */
export function isStaticProgram(file) {
  if (file.length < 64 || file.readUInt32BE(0) !== 0x7f454c46) return false;
  const is64Bit = file[4] === 2;
  const isLittleEndian = file[5] === 1;
  const u16 = (/** @type {number} */ at) => (isLittleEndian ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const u32 = (/** @type {number} */ at) => (isLittleEndian ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const wide = (/** @type {number} */ at) =>
    Number(isLittleEndian ? file.readBigUInt64LE(at) : file.readBigUInt64BE(at));
  const table = is64Bit ? wide(32) : u32(28);
  const entrySize = u16(is64Bit ? 54 : 42);
  const count = u16(is64Bit ? 56 : 44);
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    if (at + 4 > file.length) return false;
    if (u32(at) === PROGRAM_INTERPRETER) return false;
  }
  return true;
}
