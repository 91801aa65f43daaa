/** The services of the demo. */
export const SERVICES = /** @type {const} */ (['api', 'email', 'media', 'reports']);

/** What a process needs of this machine; none of its other variables reaches a service. */
const FROM_HERE = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS'];

/** @typedef {Record<typeof SERVICES[number], NodeJS.ProcessEnv>} ServiceSettings */

/**
 * The environment of each service: all that the demo configures. `AMQP_URL` stays unused where the broker is in
 * memory, but a service does not start without it.
 *
 * @param {{ amqpUrl?: string, prefix: string, storageUrl: string, smtpUrl: string, tracesUrl: string, port: number }} stage
 * @returns {ServiceSettings}
 */
export function serviceSettings({ amqpUrl = 'amqp://unused', prefix, storageUrl, smtpUrl, tracesUrl, port }) {
  const common = {
    ...Object.fromEntries(
      FROM_HERE.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
    ),
    AMQP_URL: amqpUrl,
    JOBRAIL_PREFIX: prefix,
    STORAGE_URL: storageUrl,
    LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_ENDPOINT: tracesUrl,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '500',
  };
  return {
    // That a machine is busy is no reason to answer 503.
    api: {
      ...common,
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLISH_TIMEOUT: '30s',
      LOGIN_URL: 'https://demo.example/login',
    },
    // One mail at a time, so that there is a backlog to overtake.
    email: {
      ...common,
      SMTP_URL: smtpUrl,
      MAIL_FROM: 'Jobrail <demo@jobrail.example>',
      EMAIL_CONCURRENCY: '1',
    },
    media: { ...common, MEDIA_HANDLERS: 'resize' },
    reports: { ...common },
  };
}
