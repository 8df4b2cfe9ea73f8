// Command ambit runs software that nobody has reason to trust with exactly
// the capabilities that it was granted.
package main

func main() {}
