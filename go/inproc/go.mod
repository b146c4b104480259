module cordon.internal/cordon/inproc

go 1.19

require cordon.internal/cordon v0.0.0

replace cordon.internal/cordon => ../
