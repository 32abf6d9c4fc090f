import { fromEnv } from "@aws-sdk/credential-provider-env";

/**
 * In the bundle, this module stands for `@aws-sdk/credential-provider-node`: Lambda gives a function its role's credentials in the
 * environment, and the providers that look elsewhere are an eighth of the code.
 */
export const defaultProvider = fromEnv;
