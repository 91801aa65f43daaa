/**
 * The health check of a container: exit code 0 when the service says that it is ready, which is when it can take
 * jobs or requests, not merely when its process runs.
 */
const url = `http://127.0.0.1:${process.env.HEALTH_PORT}/health/ready`;
const response = await fetch(url, { signal: AbortSignal.timeout(4_000) });
console.log(await response.text());
process.exit(response.ok ? 0 : 1);
