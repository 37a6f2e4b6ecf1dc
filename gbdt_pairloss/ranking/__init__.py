"""What is ranked: arrays in, checked data and plans out. It knows no objective, engine or booster."""
