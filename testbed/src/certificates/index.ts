export {
  type IdentityFiles,
  type IdentityRequest,
  openTestAuthority,
  type TestAuthority,
} from './certificates.ts';
