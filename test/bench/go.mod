module ambit.dev/ambit/test/bench

go 1.26.0
