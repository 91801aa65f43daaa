import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { HttpError } from './http-error.js';

/**
 * Lets in who has the token; without a token, who asks by a name that no page of the web can have for this server: a page
 * that lets its own name point here (DNS rebinding) is refused, and so is a request that a page of elsewhere makes.
 */
export function guard(token: string | undefined): RequestHandler {
  const wanted = token === undefined ? undefined : digest(token);
  return (request, _response, next) => {
    if (wanted) {
      const [, given] = /^Bearer ([\x21-\x7e]+)$/i.exec(request.headers.authorization ?? '') ?? [];
      if (given !== undefined && timingSafeEqual(digest(given), wanted)) return next();
      throw new HttpError(401, 'TOKEN_WRONG', 'Send the token as "authorization: Bearer …".', {
        'www-authenticate': 'Bearer',
      });
    }
    const { host, origin } = request.headers;
    if (!isLocalName(host)) {
      throw new HttpError(
        403,
        'HOST_REFUSED',
        'Ask by an IP address or a name without dots, or set a token.',
      );
    }
    if (origin !== undefined && hostOf(origin) !== host) {
      throw new HttpError(403, 'ORIGIN_REFUSED', 'Pages of other origins may not ask here.');
    }
    next();
  };
}

function isLocalName(host: string | undefined): boolean {
  const url = `http://${host ?? ''}`;
  if (!URL.canParse(url)) return false;
  const name = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return isIP(name) !== 0 || !name.includes('.') || name.endsWith('.localhost');
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** Equal lengths, so that comparing tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
