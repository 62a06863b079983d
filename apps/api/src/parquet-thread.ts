import '@embedmill/sources/parquet-thread';
