import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

/** The default log: readable on a terminal, JSON lines otherwise; level from LOG_LEVEL, default `info`. */
export function defaultLog(name: string, env: NodeJS.ProcessEnv = process.env): Logger {
  const options = { name, level: env['LOG_LEVEL'] ?? 'info' };
  return process.stdout.isTTY ? pino(options, pretty({ sync: true, ignore: 'pid,hostname' })) : pino(options);
}

export function silentLog(): Logger {
  return pino({ level: 'silent' });
}
