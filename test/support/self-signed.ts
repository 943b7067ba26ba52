/**
 * A certificate for 127.0.0.1 that nobody vouches for, and its key, good until 2126. The key protects nothing: it is here so that
 * tests need no program to make one.
 */
export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghzrvHV0JgVgY39EF
EPtqJFcvYRdWIVvVLNyJSJzHmamhRANCAARr8bGS4ywzbDzv4BG5WMYE3vj1KqeN
3epB6VQaIFhJsQIQr3peYTcEuYVav/82slqtoGgabeHAZlt/8pqHQUQL
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUR+fmfSW/5sWyzSCdkNH+ts9n3sMwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDE3MTA0NVoYDzIxMjYxMDMx
MTcxMDQ1WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARr8bGS4ywzbDzv4BG5WMYE3vj1KqeN3epB6VQaIFhJsQIQr3peYTcE
uYVav/82slqtoGgabeHAZlt/8pqHQUQLo2QwYjAdBgNVHQ4EFgQUE+yJ/un/x5a9
/rynNwNi8AIz9+QwHwYDVR0jBBgwFoAUE+yJ/un/x5a9/rynNwNi8AIz9+QwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQC47RTV8kxaRqvFVZq5jzYvLUrsTbWARboiAcVRyQZtFwIhAMMFqntiJXdrgCm3
CbkfGbrkT80fbb95DwuxOgPjCeaE
-----END CERTIFICATE-----
`,
}
