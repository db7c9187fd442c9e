export {
  ERROR_STATUS,
  type ErrorBody,
  type ErrorType,
  type FailureClass,
  GatewayError,
  type GatewayErrorOptions,
  toGatewayError,
} from './gateway-error.ts';
