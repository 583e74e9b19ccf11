export {
  type Changes,
  changesSchema,
  type Digest,
  digestSchema,
  type Page,
  pageSchema,
  type Row,
  type Source,
  type SyncRequest,
  syncRequestSchema,
} from './messages.ts';
export { createMirror, type Mirror, type Received } from './mirror.ts';
export { createPublisher, type Publisher } from './publisher.ts';
