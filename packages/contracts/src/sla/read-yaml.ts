import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { requireSafeKey, TextFault } from './text-fault.ts';

/** Most characters of a YAML document: hand-written files have a few thousand. */
const LONGEST_TEXT = 256 * 1024;
/** Most values that a document may stand for, those that aliases repeat counted each time. */
const MOST_VALUES = 100_000;
const MOST_ALIASES = 1000;
const DEEPEST = 64;
const MOST_KEYS = 10_000;

/**
 * One YAML 1.2 document with the values that JSON knows. Throws a `TextFault` for anything else: custom tags, several
 * documents, repeated keys, merge keys, and texts that stand for far more than they say.
 */
export function readYaml(text: string): unknown {
  if (text.length > LONGEST_TEXT) {
    throw new TextFault(`is longer than ${LONGEST_TEXT / 1024} KiB; split it, or send JSON`);
  }
  const lines = new LineCounter();
  const document = parsed(text, lines);
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw new TextFault(reasonOf(problem.code), placeOf(lines, problem.pos[0]));
  if (document.contents === null) throw new TextFault('is empty; send an SLA');
  return createReader(lines)(document.contents, 0);
}

function parsed(text: string, lines: LineCounter): Document.Parsed {
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      // Checked below: the parser compares every key with every other one.
      uniqueKeys: false,
      // Its messages quote the text.
      prettyErrors: false,
      lineCounter: lines,
      resolveKnownTags: false,
    });
  } catch (error) {
    // Deep nesting exhausts the stack.
    if (error instanceof RangeError) throw new TextFault('is nested too deeply to be read');
    throw error;
  }
}

/** Turns nodes into values, with one budget for the whole document. */
function createReader(lines: LineCounter) {
  const anchors = new Map<string, ParsedNode>();
  let values = 0;
  let aliases = 0;

  const fault = (reason: string, node: ParsedNode | null | undefined): TextFault =>
    new TextFault(reason, placeOf(lines, node?.range?.[0] ?? 0));

  const read = (node: ParsedNode | null, depth: number): unknown => {
    values += 1;
    if (values > MOST_VALUES) throw fault(`stands for more than ${MOST_VALUES} values`, node);
    if (depth > DEEPEST) throw fault(`is nested deeper than ${DEEPEST} levels, or contains itself`, node);
    if (node === null) return null;
    if (isAlias(node)) {
      aliases += 1;
      if (aliases > MOST_ALIASES) throw fault(`has more than ${MOST_ALIASES} aliases`, node);
      const target = anchors.get(node.source);
      if (target === undefined) throw fault('is an alias of an anchor that does not exist above it', node);
      return read(target, depth + 1);
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item) => read(item as ParsedNode | null, depth + 1));
    if (isMap(node)) return readMap(node, depth);
    throw fault('is nothing that JSON knows', node);
  };

  const readMap = (map: YAMLMap.Parsed, depth: number): Record<string, unknown> => {
    if (map.items.length > MOST_KEYS) throw fault(`has more than ${MOST_KEYS} fields`, map);
    const fields = new Map<string, unknown>();
    for (const { key, value } of map.items) {
      const name = nameOf(key);
      requireSafeKey(name, placeOf(lines, key.range[0]));
      if (fields.has(name)) throw fault('repeats a field that this object has already', key);
      fields.set(name, read(value as ParsedNode | null, depth + 1));
    }
    return Object.fromEntries(fields);
  };

  const nameOf = (key: ParsedNode): string => {
    if (!isScalar(key) || key.value === null || typeof key.value === 'object') {
      throw fault('must have a plain text as the name of a field', key);
    }
    if (key.value === '<<')
      throw fault('merge keys (<<) are not part of YAML 1.2; write the fields out', key);
    // As it is written: 1.0 and 1 are two names.
    return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
  };

  return read;
}

/** In our own words: the parser's messages quote the text. */
const REASONS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'a second document begins; send one at a time',
  TAB_AS_INDENT: 'a tab indents the line; use spaces',
  BAD_INDENT: 'the indentation does not fit to what is above',
  BAD_ALIAS: 'the alias or anchor is malformed',
  TAG_RESOLVE_FAILED: 'the tag is unknown; only the types of JSON are possible',
  MISSING_CHAR: 'a character is missing, such as a closing quote, bracket or the ":" of a field',
  MULTILINE_IMPLICIT_KEY: 'the name of a field must be on one line; is a ":" or an indentation missing?',
  BLOCK_AS_IMPLICIT_KEY:
    'a nested object must begin on a line of its own; or quote the text that contains ": "',
  UNEXPECTED_TOKEN: 'this is not possible here; quote texts with special characters',
};

function reasonOf(code: string): string {
  return `is no valid YAML: ${REASONS[code] ?? code.toLowerCase().replaceAll('_', ' ')}`;
}

function placeOf(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}
