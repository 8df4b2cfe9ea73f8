module ambit.dev/ambit/test/report

go 1.26.0
