// Made by api/gen of the files in api/ambit/v1: change those and run `make api`.
//
// The messages as they stand in JSON, for who sends and reads that without a client,
// as the console does: what is zero is left out, long numbers are texts, bytes base64,
// times RFC 3339, durations as in '3600s'.
export {};
