import type { Route } from './route.js';
import { ref, schemas } from './schemas.js';

const commonErrors = {
  400: 'A parameter cannot be taken; the message names it.',
  401: 'The token is missing or wrong, where one is set.',
  403: 'Asked by a name or from a page that is not let in, where no token is set.',
  503: 'The store or the broker cannot be reached.',
};

/** The OpenAPI 3.1 document of the routes. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method] = operation(route);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Jobrail monitor',
      version,
      description: 'What became of every job: records, search, failures, workers, alerts, live events.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    security: [{ token: [] }, {}],
    paths,
    components: {
      schemas,
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'Needed where MONITOR_TOKEN is set.' },
      },
    },
  };
}

function operation({ id, summary, description, parameters = [], answer, errors = {} }: Route) {
  const problem = (text: string) => ({
    description: text,
    content: { 'application/json': { schema: ref('Error') } },
  });
  return {
    operationId: id,
    summary,
    ...(description && { description }),
    parameters: parameters.map(({ name, in: place, description: words, schema, many }) => ({
      name,
      in: place,
      description: words,
      required: place === 'path',
      schema: many ? { type: 'array', items: schema } : schema,
      ...(many && { style: 'form', explode: true }),
    })),
    responses: {
      [answer.status]: {
        description: answer.description,
        content: { [answer.type ?? 'application/json']: { schema: answer.schema ?? { type: 'string' } } },
      },
      ...Object.fromEntries(
        Object.entries({ ...commonErrors, ...errors }).map(([status, text]) => [status, problem(text)]),
      ),
    },
  };
}
