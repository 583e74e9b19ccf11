// `npm run generate`: writes everything that is generated from .proto files. With --check it writes nothing, and fails
// when what is committed differs from what would be written.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = dirname(dirname(fileURLToPath(import.meta.url)));
const PROGRAMS = join(REPOSITORY, 'node_modules/.bin');
const SUFFIX = '.gen.ts';

/** The packages that have something to generate. */
function packagesWithProtos() {
  const folder = join(REPOSITORY, 'packages');
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, 'buf.gen.yaml')));
}

/**
 * @param {string} directory of the package
 * @param {string} output   where the paths of its buf.gen.yaml begin
 */
function generate(directory, output) {
  const { status, error } = spawnSync('buf', ['generate', '--output', output], {
    cwd: directory,
    stdio: 'inherit',
    env: { ...process.env, PATH: `${PROGRAMS}${delimiter}${process.env.PATH}` },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`buf generate failed in ${directory}`);
}

/**
 * @param {string} directory
 * @returns {string[]} how what is there differs from what would be generated
 */
function driftOf(directory) {
  const scratch = mkdtempSync(join(tmpdir(), 'oakestra-generate-'));
  try {
    generate(directory, scratch);
    const [present, wanted] = [generatedFiles(directory), generatedFiles(scratch)];
    return [...new Set([...present, ...wanted])].sort().flatMap((file) => {
      if (!present.includes(file)) return [`${file} is missing`];
      if (!wanted.includes(file)) return [`${file} is generated from nothing; remove it`];
      const isSame = readFileSync(join(directory, file)).equals(readFileSync(join(scratch, file)));
      return isSame ? [] : [`${file} differs`];
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** @param {string} directory */
function generatedFiles(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith(SUFFIX) && !file.includes('node_modules'),
  );
}

const isCheck = process.argv.includes('--check');
for (const directory of packagesWithProtos()) {
  if (!isCheck) {
    generate(directory, directory);
    continue;
  }
  for (const drift of driftOf(directory)) {
    console.error(`${directory.slice(REPOSITORY.length + 1)}: ${drift}`);
    process.exitCode = 1;
  }
}
if (process.exitCode === 1) console.error('Run "npm run generate" and commit the result.');
