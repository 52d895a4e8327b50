"""What is inside a sound file: which form it has, where its sound lies, and whether all of it is there.

Decoders tolerate what would falsify a measurement: libsndfile silently shortens a truncated WAV or Ogg, and reads only
the first part of a chained Ogg or a joined MP3. A clip shortened that way would be measured as if its speech ended
there. So the containers are read here, and a decoder gets exactly the bytes that hold sound.
"""
