"""From recognized segments to transcripts."""
