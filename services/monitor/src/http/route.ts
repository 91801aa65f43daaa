import type { Request, Response } from 'express';
import type { Schema } from './schemas.js';

/** One operation of the API: served, and described in the OpenAPI document, from the same place. */
export interface Route {
  method: 'get' | 'post';
  /** As in OpenAPI: `/jobs/{id}`. */
  path: string;
  /** Of the operation, for those who generate clients. */
  id: string;
  summary: string;
  description?: string;
  parameters?: readonly Parameter[];
  /** Of the answer when all is well; `text/event-stream` is described in words. */
  answer: { status: number; description: string; schema?: Schema; type?: string };
  /** Other answers than those that every operation can give. */
  errors?: Readonly<Record<number, string>>;
  /** Resolves with the body of the answer, or undefined when it has answered itself. */
  handle(request: Request, response: Response): Promise<unknown>;
}

export interface Parameter {
  name: string;
  in: 'query' | 'path' | 'header';
  description: string;
  schema: Schema;
  /** May be given several times. */
  many?: boolean;
}
