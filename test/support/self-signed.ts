/**
 * A certificate for localhost and 127.0.0.1 that nobody vouches for, and its key, good until 2126. The key protects nothing: it is here so that
 * tests need no program to make one.
 */
export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8Af1uVJuv9ZcN1a8
rzSBr0fv3vAyyR/AlFOt0XbM/P6hRANCAARxF62ILWTw9OM6xYKnTNDoroO2UfSx
orUHQldkFm4xsJ3p4W0f+i3H+b1ezq/rKzuOzP4FanXveRlNBr9LFX4J
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUcqiqC2JAo1G4PHolELvEV14P/bYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE4MDM0OVoYDzIxMjYxMDMx
MTgwMzQ5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARxF62ILWTw9OM6xYKnTNDoroO2UfSxorUHQldkFm4xsJ3p4W0f+i3H
+b1ezq/rKzuOzP4FanXveRlNBr9LFX4Jo28wbTAdBgNVHQ4EFgQU+VDM0GBHnum/
XOkUCJQ/m4+zha4wHwYDVR0jBBgwFoAU+VDM0GBHnum/XOkUCJQ/m4+zha4wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhALhhX7AJN5JaQCfXIY/DJ4pyJ5R/W0UEHSp5POBu00rCAiEA
+RoEHXswVR+mH9rcKRfqLLxBw2a25kbBaA17S5o+vQM=
-----END CERTIFICATE-----
`,
}
