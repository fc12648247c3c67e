module gopark-bench-go

go 1.27
