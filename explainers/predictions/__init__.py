"""What readable structures predict, computed without the model's library, and checks that the library agrees."""
