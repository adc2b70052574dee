module regcred.dev/regcred/hack/cluster

go 1.26.0
