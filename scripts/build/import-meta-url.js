// What `import.meta.url` is in a CommonJS bundle; esbuild puts it where it is used.
import { pathToFileURL } from 'node:url';

export const importMetaUrl = /* @__PURE__ */ pathToFileURL(__filename).href;
