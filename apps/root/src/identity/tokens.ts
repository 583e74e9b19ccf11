import { randomUUID } from 'node:crypto';
import { OakestraError } from '@oakestra/contracts';
import type { Clock } from '@oakestra/daemon';
import { errors, jwtVerify, SignJWT } from 'jose';
import type { SigningKey } from './signing-key.ts';

type TokenKind = 'access' | 'refresh';

/** Whom a token speaks for (root-api 3.1). */
export interface TokenSubject {
  readonly userName: string;
  readonly organisationId: string;
  readonly roles: readonly string[];
}

export interface Tokens {
  mint(kind: TokenKind, subject: TokenSubject): Promise<string>;
  /** Rejects with `unauthenticated` and the original's texts (root-api 3.2). */
  verify(kind: TokenKind, token: string): Promise<TokenSubject>;
}

const LIFETIME_S: Readonly<Record<TokenKind, number>> = { access: 10 * 60, refresh: 30 * 24 * 3600 };
/** Small steps of the wall clock must not make a fresh token "not yet valid". */
const TOLERANCE_S = 30;

export function createTokens(key: SigningKey, clock: Clock): Tokens {
  return {
    mint(kind, { userName, organisationId, roles }) {
      const nowS = Math.floor(clock.nowMs() / 1000);
      const claims = {
        user: userName,
        roles: [...roles],
        organization: organisationId,
        type: kind,
        fresh: false,
      };
      return new SignJWT({ ...claims, csrf: randomUUID() })
        .setProtectedHeader({ alg: 'RS256', typ: 'JWT' })
        .setSubject(userName)
        .setIssuedAt(nowS)
        .setNotBefore(nowS)
        .setExpirationTime(nowS + LIFETIME_S[kind])
        .setJti(randomUUID())
        .sign(key.privateKey);
    },
    async verify(kind, token) {
      const payload = await verifySignature(token);
      if (payload.type !== kind) {
        throw refusal(
          'token-kind',
          kind === 'access' ? 'Only non-refresh tokens are allowed' : 'Only refresh tokens are allowed',
        );
      }
      // Handed out by the original for downloads; worthless everywhere else.
      if (payload.file_access_token) throw refusal('token-kind', 'Only access token allowed');
      const { sub, organization, roles } = payload;
      if (typeof sub !== 'string' || typeof organization !== 'string' || !Array.isArray(roles)) {
        throw refusal('token-claims', 'Missing claims');
      }
      const texts = roles.filter((role): role is string => typeof role === 'string');
      return { userName: sub, organisationId: organization, roles: texts };
    },
  };

  async function verifySignature(token: string): Promise<Record<string, unknown>> {
    try {
      const { payload } = await jwtVerify(token, key.publicKey, {
        algorithms: ['RS256'],
        currentDate: new Date(clock.nowMs()),
        clockTolerance: TOLERANCE_S,
        requiredClaims: ['exp'],
      });
      return payload;
    } catch (cause) {
      if (cause instanceof errors.JWTExpired) throw refusal('token-expired', 'Token has expired');
      if (cause instanceof errors.JWSSignatureVerificationFailed) {
        throw refusal('token-signature', 'Signature verification failed');
      }
      if (cause instanceof errors.JWTClaimValidationFailed) {
        throw refusal('token-claims', 'The token is not yet valid (nbf)');
      }
      throw refusal('token-malformed', 'Not enough segments');
    }
  }
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

function refusal(code: string, message: string): OakestraError {
  return new OakestraError('unauthenticated', code, message);
}
