import { type KeyObject, randomUUID } from 'node:crypto';
import { OakestraError } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { SigningKeys } from './signing-keys.ts';

type TokenKind = 'access' | 'refresh';

/** Whom a token speaks for (root-api 3.1). */
export interface TokenSubject {
  readonly userId: string;
  readonly userName: string;
  readonly organisationId: string;
  readonly roles: readonly string[];
  /** Of the user when the token was minted; an older one than today's ends the token. */
  readonly generation: number;
  /** Identifies the login: `jti` of the refresh token, `sid` of the access tokens that it gives. */
  readonly sessionId: string;
}

export interface VerifiedToken extends TokenSubject {
  readonly expiresAtMs: number;
}

export interface Tokens {
  mint(kind: TokenKind, subject: TokenSubject): Promise<string>;
  /** Rejects with `unauthenticated` and the original's texts (root-api 3.2). */
  verify(kind: TokenKind, token: string): Promise<VerifiedToken>;
}

const LIFETIME_S: Readonly<Record<TokenKind, number>> = { access: 10 * 60, refresh: 30 * 24 * 3600 };
/** Small steps of the wall clock must not make a fresh token "not yet valid". */
const TOLERANCE_S = 30;
/** From the moment a token is minted until nobody takes it any more. */
export const LONGEST_TOKEN_MS = (LIFETIME_S.refresh + TOLERANCE_S) * 1000;

export function createTokens(keys: SigningKeys, clock: Clock): Tokens {
  return {
    async mint(kind, { userId, userName, organisationId, roles, generation, sessionId }) {
      await keys.refresh();
      const nowS = Math.floor(clock.nowMs() / 1000);
      const claims = {
        user: userName,
        roles: [...roles],
        organization: organisationId,
        type: kind,
        fresh: false,
        uid: userId,
        gen: generation,
        sid: sessionId,
      };
      return new SignJWT({ ...claims, csrf: randomUUID() })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
        .setSubject(userName)
        .setIssuedAt(nowS)
        .setNotBefore(nowS)
        .setExpirationTime(nowS + LIFETIME_S[kind])
        .setJti(kind === 'refresh' ? sessionId : randomUUID())
        .sign(keys.current());
    },
    async verify(kind, token) {
      await keys.refresh();
      const payload = await verifySignature(token);
      if (payload.type !== kind) {
        throw refusal(
          'token-kind',
          kind === 'access' ? 'Only non-refresh tokens are allowed' : 'Only refresh tokens are allowed',
        );
      }
      // Handed out by the original for downloads; worthless everywhere else.
      if (payload.file_access_token) throw refusal('token-kind', 'Only access token allowed');
      return subjectFrom(payload);
    },
  };

  async function verifySignature(token: string): Promise<Record<string, unknown>> {
    let failure = refusal('token-signature', 'Signature verification failed');
    for (const key of keys.verifying()) {
      try {
        return await verifyWith(key, token);
      } catch (error) {
        failure = refusalFor(error);
        if (failure.code !== 'token-signature') break;
      }
    }
    throw failure;
  }

  async function verifyWith(key: KeyObject, token: string): Promise<Record<string, unknown>> {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['RS256'],
      currentDate: new Date(clock.nowMs()),
      clockTolerance: TOLERANCE_S,
      requiredClaims: ['exp'],
    });
    return payload;
  }
}

function subjectFrom(payload: Record<string, unknown>): VerifiedToken {
  const { sub, organization, roles, uid, gen, sid, exp } = payload;
  if (typeof sub !== 'string' || typeof organization !== 'string' || !Array.isArray(roles)) {
    throw refusal('token-claims', 'Missing claims');
  }
  if (typeof uid !== 'string' || typeof gen !== 'number' || typeof sid !== 'string') {
    throw refusal('token-claims', 'The token was made by an older version. Log in again.');
  }
  const texts = roles.filter((role): role is string => typeof role === 'string');
  const ids = { userId: uid, userName: sub, organisationId: organization, sessionId: sid };
  return { ...ids, roles: texts, generation: gen, expiresAtMs: Number(exp) * 1000 };
}

function refusalFor(error: unknown): OakestraError {
  if (error instanceof errors.JWTExpired) return refusal('token-expired', 'Token has expired');
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return refusal('token-signature', 'Signature verification failed');
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return refusal('token-claims', 'The token is not yet valid (nbf)');
  }
  return refusal('token-malformed', 'Not enough segments');
}

/** The token of an `Authorization` header; rejects anything but `Bearer <token>` (root-api 3.2). */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === '') throw refusal('token-missing', 'Missing Authorization Header');
  const [scheme, token, ...rest] = header.trim().split(/ +/);
  if (scheme?.toLowerCase() !== 'bearer') {
    throw refusal(
      'token-scheme',
      "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
    );
  }
  if (token === undefined || rest.length > 0) {
    throw refusal('token-malformed', "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'");
  }
  return token;
}

/** Why a token does not count. Codes that begin with `token-` are answered as root-api 3.2 says. */
export function refusal(code: string, message: string): OakestraError {
  return new OakestraError('unauthenticated', code, message);
}
