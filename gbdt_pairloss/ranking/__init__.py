"""The data to rank: from arrays to checked data and plans. Independent of objectives, engines and boosters."""
