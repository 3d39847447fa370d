"""Learning: what models see, what they are asked, how they are judged, and what they say."""
