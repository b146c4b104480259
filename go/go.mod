module cordon.internal/cordon

go 1.19
