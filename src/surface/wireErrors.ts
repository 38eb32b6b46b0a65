/** Errors over JSON-RPC: ErrorData travels as the response error's data, under one code. */
import { ResponseError } from 'vscode-jsonrpc/node.js';
import { BasinError, cancelled, toErrorData, type ErrorData } from '../protocol/errors.ts';
import { BASIN_ERROR } from '../protocol/evaluator.ts';

/** LSP's code for a request whose token was cancelled, which vscode-jsonrpc itself answers with. */
const REQUEST_CANCELLED = -32800;

export function toResponseError(error: unknown): ResponseError<ErrorData> {
  const data = toErrorData(error);
  return new ResponseError(BASIN_ERROR, data.message, data);
}

export function fromResponseError(error: unknown): BasinError {
  if (error instanceof BasinError) return error;
  if (error instanceof ResponseError) {
    const data = error.data as Partial<ErrorData> | undefined;
    if (data?.code !== undefined && data.message !== undefined) return BasinError.fromData(data as ErrorData);
    if (error.code === REQUEST_CANCELLED) return cancelled();
  }
  return BasinError.fromData(toErrorData(error));
}
