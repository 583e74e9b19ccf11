// Compiles a bundle ahead of time. Run as a program of its own for each bundle, so that the functions which a start
// uses are compiled too, and nothing else is: `node code-cache.mjs <bundle> <cache>`.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

const [bundle = '', cache = ''] = process.argv.slice(2);
// The same text as in apps/oakestra/src/load-bundle.ts; the engine refuses a cache of another one.
const text = `(function (exports, require, module, __filename, __dirname) { ${readFileSync(bundle, 'utf8')}\n})`;
const script = new Script(text, { filename: bundle });
const module = { exports: {} };
script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, dirname(bundle));
writeFileSync(`${cache}.new`, script.createCachedData());
renameSync(`${cache}.new`, cache);
process.exit(0);
