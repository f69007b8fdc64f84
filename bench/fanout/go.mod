module fanout

go 1.21
